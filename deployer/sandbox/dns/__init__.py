"""The sandbox's simulation of Route 53: its rules at the AWS endpoint, its health checkers and its name servers.

What it simulates, line by line, is written down in docs/route53.md. The modules run in the sandbox's own virtual
environment, packed as one program (`deployer.sandbox.simulation`); those that decide know neither moto nor the network.
"""
