"""What the playbook asks of AWS: `aws.py download s3://BUCKET/KEY DIRECTORY`; `aws.py password` of the registry."""

import base64
import sys
from pathlib import Path

import boto3


def main() -> None:
    """Do what the command line says."""
    match sys.argv[1:]:
        case ["download", source, directory]:
            bucket, _, key = source.removeprefix("s3://").partition("/")
            boto3.client("s3").download_file(bucket, key, str(Path(directory) / Path(key).name))
        case ["password"]:
            token = boto3.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
            print(base64.b64decode(token).decode().partition(":")[2])
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
