"""The documentation of the action `deploy`, which runs on the controller (action_plugins/deploy.py)."""

DOCUMENTATION = r"""
module: deploy
short_description: Deploy an application to regions of a stage, or roll it back
description:
  - Does the same as C(deploy STAGE REGION APP), or C(deploy rollback STAGE REGION APP).
  - It runs on the controller; hosts and connections do not matter.
options:
  command:
    description: What is done.
    type: str
    choices: [deploy, rollback]
    default: deploy
  stage:
    description: The stage, such as V(dev), V(prod), or V(local), the sandbox.
    type: str
    required: true
  region:
    description: A region, a list of them (or a text with commas), or V(all).
    type: raw
    required: true
  application:
    description: An app, a file C(apps/APP.yml); a list (or a text with commas) of several for O(command=deploy).
    type: raw
    required: true
  version:
    description: Deploy this version instead of the app's C(Version).
    type: str
  to:
    description: For O(command=rollback), a revision's number or the beginning of a deployment's id.
    type: str
  waves:
    description: Regions in order, those of one wave joined by C(+), such as V(seoul,london+virginia).
    type: str
  timeout:
    description: How long a rollout may take, such as V(90s) or V(10m).
    type: str
  lock_wait:
    description: How long to wait while somebody else deploys, such as V(10m).
    type: str
  extra_vars:
    description:
      - Variables that win over all others, as C(deploy -e) takes them.
      - They go to the command's standard input, never into its arguments.
    type: dict
  own_variables:
    description:
      - Where it is given, variables of Ansible's own command line (C(-e)) go to the command as well, all but these,
        C(STAGE), C(REGION), C(APPLICATION), and those whose names begin with C(ansible_).
    type: list
    elements: str
  executable:
    description:
      - The command.
      - By default the repository's C(wrapper), else the package beside Ansible, else C(deploy) on the C(PATH).
    type: path
  directory:
    description: The deployment repository; by default the one around the playbook.
    type: path
attributes:
  check_mode:
    support: full
    description: Shows the plan (C(deploy plan)) and changes nothing.
  diff_mode:
    support: full
    description: Shows what changes, secrets masked.
"""

EXAMPLES = r"""
- name: Deploy myapp everywhere, seoul first
  deploy:
    stage: prod
    region: all
    application: myapp
    waves: seoul,london+virginia
  register: result

- name: Go on only where it runs
  ansible.builtin.debug:
    msg: "{{ item.region }} runs {{ item.version }} as revision {{ item.revision }}"
  loop: "{{ result.targets }}"

- name: Back to what ran before
  deploy:
    command: rollback
    stage: prod
    region: london,seoul
    application: myapp
"""

RETURN = r"""
targets:
  description: What became of each region, as docs/json.md has it. All other fields of that document are returned too.
  type: list
  returned: when the command got so far
rc:
  description: The command's exit code, as docs/deployment.md has it.
  type: int
  returned: always
report:
  description: A line for each region.
  type: list
  returned: always
msg:
  description: The report in one line; after a failure what failed, where, why, and what to do next.
  type: str
  returned: always
"""
