"""Drives a server with botocore; exits with a traceback where it differs."""

import boto3
from botocore.exceptions import ClientError

MANAGED = "arn:aws:imagebuilder:us-east-1:aws:"
DOCUMENT = """schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Install
        action: ExecuteBash
        inputs:
          commands: ['true']
"""

client = boto3.client("imagebuilder")


def code_of(call, **members):
    try:
        call(**members)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    raise AssertionError(f"{members} succeeded")


component = client.create_component(
    name="Boto Test", semanticVersion="1.0.0", platform="Linux", data=DOCUMENT, tags={"team": "a b"}
)
assert component["requestId"] == component["ResponseMetadata"]["RequestId"]
assert component["clientToken"]

got = client.get_component(componentBuildVersionArn=component["componentBuildVersionArn"])["component"]
assert got["data"] == DOCUMENT and got["tags"] == {"team": "a b"} and got["encrypted"] is True, got

recipe = client.create_image_recipe(
    name="Boto Recipe",
    semanticVersion="1.0.x",
    parentImage=MANAGED + "image/debian-12/x.x.x",
    components=[{"componentArn": component["componentBuildVersionArn"]}],
    blockDeviceMappings=[{"deviceName": "/dev/sda1", "noDevice": ""}],
)["imageRecipeArn"]
assert recipe.endswith("image-recipe/boto-recipe/1.0.0"), recipe
assert client.get_image_recipe(imageRecipeArn=recipe)["imageRecipe"]["blockDeviceMappings"][0]["noDevice"] == ""

infrastructure = client.create_infrastructure_configuration(name="infra", instanceProfileName="profile")
client.update_infrastructure_configuration(
    infrastructureConfigurationArn=infrastructure["infrastructureConfigurationArn"], instanceProfileName="other"
)
distribution = client.create_distribution_configuration(
    name="dist", distributions=[{"region": "us-east-1", "amiDistributionConfiguration": {}}]
)["distributionConfigurationArn"]
assert client.get_distribution_configuration(distributionConfigurationArn=distribution)["distributionConfiguration"]["timeoutMinutes"] == 720

pages = client.get_paginator("list_components").paginate(owner="Amazon", PaginationConfig={"PageSize": 1})
names = [c["name"] for page in pages for c in page["componentVersionList"]]
assert names == ["update-linux", "update-windows"], names

absent = MANAGED + "component/nope/1.0.0/1"
assert code_of(client.get_component, componentBuildVersionArn=absent) == ("ResourceNotFoundException", 404)
assert code_of(client.delete_component, componentBuildVersionArn=component["componentBuildVersionArn"]) == ("ResourceDependencyException", 400)
assert code_of(client.create_component, name="x y z", semanticVersion="1.0.0", platform="Linux", data=DOCUMENT, dryRun=True) == (
    "DryRunOperationException",
    412,
)

client.delete_image_recipe(imageRecipeArn=recipe)
client.delete_component(componentBuildVersionArn=component["componentBuildVersionArn"])
