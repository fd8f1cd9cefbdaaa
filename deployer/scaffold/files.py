"""The files of a new repository, as texts. None of them holds a secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from string import Template

from deployer.sandbox.layout import (
    ACCOUNT,
    BASE_IMAGE,
    DNS_DOMAIN,
    DNS_PORT,
    INGRESS_CLASS,
    REGIONS,
    SHARED_ADDRESS,
    SLACK_ENDPOINT,
    STAGE,
)
from deployer.scaffold.answers import AWS_REGIONS, Answers

_ACCOUNT = "111122223333"
_ANSIBLE = Path(__file__).parent / "ansible"

_APP = Template("""\
# An app: its image and its Kubernetes manifests. Every value may be a template; group_vars/ has the values.
Name: "$name"
AppName: "{{ Name }}" # the Helm release and the image are called so
SubDomain: "$name" # served at SubDomain.REGION.DnsDomain
Environments: # where it may be deployed: `deploy STAGE REGION $name`
$environments
Version: "{{ Values[Name].VERSION }}"

# The image. Its tag ends with a hash of all this, so it is built only when something changed.
Docker:
  # Download: # artefacts, from s3://, https://, github:// or a path in this repository
  #   - src: "s3://my-artifacts/$name-{{ Version }}.tar.gz"
  Files:
    index.html: |
      <h1>$name {{ Version }}</h1>
    healthcheck: |
      ok
  Dockerfile: |
    FROM {{ BaseImage }}
    COPY index.html healthcheck /var/www/
    CMD ["httpd", "-f", "-p", "$port", "-h", "/var/www"]

Helm:
  - apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: "{{ AppName }}"
      labels:
        app: "{{ AppName }}"
    spec:
      replicas: "{{ Values[Name].Replicas }}" # one expression keeps its type: this is a number
      selector:
        matchLabels:
          app: "{{ AppName }}"
      template:
        metadata:
          labels:
            app: "{{ AppName }}"
        spec:
          containers:
            - name: "{{ AppName }}"
              image: "{{ AwsEcrPrefix }}/{{ AppName }}:{{ Tag }}-{{ DockerHash }}"
              env:
                - name: GREETING # a secret is used the same way; its value stands in group_vars/secrets_STAGE.yml
                  value: "{{ Values[Name].GREETING }}"
              ports:
                - name: http
                  containerPort: $port
              readinessProbe:
                httpGet:
                  path: /healthcheck
                  port: http
                periodSeconds: 2
              livenessProbe:
                httpGet:
                  path: /healthcheck
                  port: http
                initialDelaySeconds: 10
              resources:
                requests:
                  cpu: 50m
                  memory: 32Mi
                limits:
                  memory: 64Mi
  - apiVersion: v1
    kind: Service
    metadata:
      name: "{{ AppName }}"
    spec:
      selector:
        app: "{{ AppName }}"
      ports:
        - name: http
          port: 80
          targetPort: http
  - apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata:
      name: "{{ AppName }}"
    spec:
      ingressClassName: $ingress_class
      rules:
        - host: "{{ SubDomain }}.{{ REGION }}.{{ DnsDomain }}"
          http:
            paths:
              - path: /
                pathType: Prefix
                backend:
                  service:
                    name: "{{ AppName }}"
                    port:
                      name: http
""")

_ALL = Template("""\
# What holds everywhere. More specific files win: STAGE.yml, STAGE.REGION.yml, secrets_STAGE.yml,
# secrets_STAGE.REGION.yml. Mappings merge, lists replace.
Namespace: "default"
BaseImage: "public.ecr.aws/docker/library/busybox:1.37"
HealthCheck: # how an app is asked from outside after its rollout
  Path: "/healthcheck"
# Profiles: # parts of manifests that apps choose (`Profiles: [spot]`) and that lie beneath their own
#   spot:
#     Pod: # the pods of every workload
#       spec:
#         terminationGracePeriodSeconds: 90
Values: # a mapping with a key per app
  "$name":
    VERSION: "0.0.1"
    Replicas: 1
    GREETING: "Welcome"
""")

_STAGE = Template("""\
# Stage $stage. Put in your own account; the tool checks that it is the one that your credentials are for.
AwsEcrPrefix: "$account.dkr.ecr.{{ AwsRegion }}.amazonaws.com"
DnsDomain: "$domain"
Ecr:
  CreateRepositories: true
""")

_REGION = Template("""\
AwsRegion: "$aws_region"$comment
Cluster:
  Name: "{{ STAGE }}-{{ REGION }}" # of the EKS cluster
""")

_LOCAL = Template("""\
# Stage $stage: the sandbox on this machine, which writes .sandbox/ and this stage's secrets.
AwsProfile: "$stage"
AwsConfigFile: ".sandbox/aws-config"
DnsDomain: "$domain"
BaseImage: "$base_image"
Ecr:
  CreateRepositories: true
Slack:
  Channel: "#deployments-$stage"
  ApiUrl: "$slack/api/"
HealthCheck:
  Protocol: "HTTP"
  Port: 8080 # the sandbox's load balancers
  Interval: 10
Dns:
  NameServers: ["$name_server"] # the sandbox's simulation of Route 53
Branches: {} # they may be deployed beside the apps: `deploy $stage london APP --branch feature/x`
""")

_LOCAL_REGION = Template("""\
AwsRegion: "$aws_region"
AwsEcrPrefix: "$registry/$account"
Cluster:
  Context: "$region"
  Kubeconfig: ".sandbox/kubeconfig"
HealthCheck:
  ConnectTo: "$ingress" # the region's ingress; its load balancer's name exists on AWS only
""")

_SOPS = """\
# Which KMS keys encrypt which file. Put your own key ARNs (or alias ARNs) here: two keys in two AWS regions,
# separated by a comma, survive the loss of one region. Then write secrets with `deploy secrets edit STAGE`.
creation_rules:
  - path_regex: group_vars/secrets_{stage}(\\..*)?\\.yml$
    kms: "{sandbox}"
"""
_SOPS_RULE = """\
  - path_regex: group_vars/secrets_{stage}(\\..*)?\\.yml$
    kms: "arn:aws:kms:{aws_region}:{account}:alias/deployer-{stage}"
"""

_GITIGNORE = f"""\
# what the sandbox writes
/.sandbox/
/group_vars/secrets_{STAGE}*.yml
"""

_README = Template("""\
# Deployments

```sh
deploy local london $name      # on the sandbox on this machine: three Kubernetes regions and an AWS
curl -H 'Host: $name.london.$local_domain' http://$ingress/
ansible-playbook playbooks/deploy.yml -e "STAGE=local REGION=london APPLICATION=$name"   # the same, from Ansible
deploy lint                    # mistakes in every app and environment, offline
deploy explain $stage $region $name    # where each value comes from
```

For $stage: put your AWS account in `group_vars/$stage.yml`, the AWS region and the name of your EKS cluster in
`group_vars/$stage.$region.yml`, your KMS key in `.sops.yaml`; then

```sh
deploy secrets set $stage Values.$name.PASSWORD   # asks for it; `secrets edit` opens all, in memory alone
deploy doctor $stage $region           # what is still missing
deploy plan $stage $region $name
deploy $stage $region $name
```
""")


def files(answers: Answers) -> dict[str, str]:
    """Path → text of every file of the repository."""
    return dict(_files(answers))


def _files(answers: Answers) -> Iterator[tuple[str, str]]:
    name, (stage, region) = answers.name, answers.environments[0]
    environments = [f"{STAGE}.{one.name}" for one in REGIONS] + [".".join(pair) for pair in answers.environments]
    yield (
        f"apps/{name}.yml",
        _APP.substitute(
            name=name,
            port=answers.port,
            ingress_class=INGRESS_CLASS,
            environments="\n".join(f'  - "{one}"' for one in environments),
        ),
    )
    yield "group_vars/all.yml", _ALL.substitute(name=name)
    yield from _local()
    stages = list(dict.fromkeys(pair[0] for pair in answers.environments))
    for one in stages:
        domain = (
            answers.domain if one in ("prod", "production", "live") or len(stages) == 1 else f"{one}.{answers.domain}"
        )
        yield f"group_vars/{one}.yml", _STAGE.substitute(stage=one, account=_ACCOUNT, domain=domain)
    for one, place in answers.environments:
        known = AWS_REGIONS.get(place)
        comment = "" if known else f" # where {place} is: put in its own"
        text = _REGION.substitute(aws_region=known or REGIONS[0].aws_region, comment=comment)
        yield f"group_vars/{one}.{place}.yml", text
    keys = ",".join(one.kms_alias_arn for one in REGIONS)
    aws_region = AWS_REGIONS.get(region, REGIONS[0].aws_region)
    rules = [_SOPS_RULE.format(stage=one, aws_region=aws_region, account=_ACCOUNT) for one in stages]
    yield ".sops.yaml", _SOPS.format(stage=STAGE, sandbox=keys) + "".join(rules)
    yield ".gitignore", _GITIGNORE
    yield from _playbooks()
    yield (
        "README.md",
        _README.substitute(name=name, stage=stage, region=region, local_domain=DNS_DOMAIN, ingress=REGIONS[0].ingress),
    )


def _playbooks() -> Iterator[tuple[str, str]]:
    """The main job for those who come from ansible-playbook: the very files that this repository has."""
    for path in sorted(_ANSIBLE.rglob("*")):
        name = path.relative_to(_ANSIBLE).as_posix()
        if path.is_file() and path.suffix in (".py", ".yml", ".cfg") and path.name != "__init__.py":
            yield (name if path.suffix == ".cfg" else f"playbooks/{name}"), path.read_text("utf-8")


def _local() -> Iterator[tuple[str, str]]:
    yield (
        f"group_vars/{STAGE}.yml",
        _LOCAL.substitute(
            stage=STAGE,
            domain=DNS_DOMAIN,
            base_image=BASE_IMAGE,
            slack=SLACK_ENDPOINT,
            name_server=f"{SHARED_ADDRESS}:{DNS_PORT}",
        ),
    )
    for region in REGIONS:
        yield (
            f"group_vars/{STAGE}.{region.name}.yml",
            _LOCAL_REGION.substitute(
                aws_region=region.aws_region,
                registry=region.registry,
                account=ACCOUNT,
                region=region.name,
                ingress=region.ingress,
            ),
        )
