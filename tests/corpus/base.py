"""The good repository that the corpus' bad ones are made from, by one replacement each."""

from __future__ import annotations

FILES = {
    "group_vars/all.yml": """\
AwsRegion: "eu-west-2"
AwsEcrPrefix: "registry.test/team"
Namespace: "default"
BaseImage: "busybox"
HealthCheck:
  Path: "/"
  Timeout: 30
Rollout:
  Bake: 5
  Waves: [london]
""",
    "group_vars/prod.yml": """\
DnsDomain: "example.test"
Slack:
  Channel: "#deployments"
Values:
  site:
    Replicas: 2
    GREETING: "Hello"
    Colours: [red, blue]
    Nested:
      Inner: "{{ Values.site.GREETING }} {{ STAGE }}"
""",
    "group_vars/prod.london.yml": """\
Cluster:
  Name: "{{ STAGE }}-{{ REGION }}"
""",
    "apps/site.yml": """\
Name: "site"
AppName: "{{ Name }}"
SubDomain: "site"
Environments:
  - "prod.london"
Version: "1.0"
Docker:
  Files:
    page.html: |
      <h1>{{ Name }} {{ Version }}</h1>
  Dockerfile: |
    FROM {{ BaseImage }}
    COPY page.html /
Helm:
  - apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: "{{ AppName }}"
    spec:
      replicas: "{{ Values[Name].Replicas }}"
      selector:
        matchLabels:
          app: site
      template:
        metadata:
          labels:
            app: site
        spec:
          containers:
            - name: main
              image: "{{ AwsEcrPrefix }}/{{ AppName }}:{{ Tag }}-{{ DockerHash }}"
              env:
                - name: GREETING
                  value: "{{ Values[Name].Nested.Inner | upper }}"
                - name: COLOURS
                  value: "{% for one in Values[Name].Colours %}{{ one }} {% endfor %}"
              ports:
                - name: http
                  containerPort: 8080
              readinessProbe:
                httpGet:
                  path: /
                  port: http
              livenessProbe:
                httpGet:
                  path: /
                  port: http
              resources:
                requests:
                  cpu: 50m
                limits:
                  memory: 64Mi
  - apiVersion: v1
    kind: Service
    metadata:
      name: site
    spec:
      ports:
        - port: 80
          targetPort: http
      selector:
        app: site
  - apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata:
      name: site
    spec:
      rules:
        - host: "{{ SubDomain }}.{{ REGION }}.{{ DnsDomain }}"
          http:
            paths:
              - path: /
                pathType: Prefix
                backend:
                  service:
                    name: site
                    port:
                      number: 80
""",
}
