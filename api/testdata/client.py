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

# W7: the code that botocore makes of a missing image.
assert code_of(client.get_image, imageBuildVersionArn=MANAGED + "image/nope/1.0.0/1") == ("ResourceNotFoundException", 404)

# W8: tags of a workflow, whose ARN has one slash more; keys as a list in the query string.
WORKFLOW = """schemaVersion: 1.0
steps:
  - name: Wait
    action: WaitForAction
"""
workflow = client.create_workflow(name="approve", semanticVersion="1.0.0", type="TEST", data=WORKFLOW)
assert "requestId" not in workflow, workflow  # W9
workflow = workflow["workflowBuildVersionArn"]
tagged = client.tag_resource(resourceArn=workflow, tags={"a b/c": "1", "d=e": "2", "keep": ""})
assert tagged["ResponseMetadata"]["HTTPStatusCode"] == 200 and set(tagged) == {"ResponseMetadata"}, tagged
assert client.list_tags_for_resource(resourceArn=workflow)["tags"] == {"a b/c": "1", "d=e": "2", "keep": ""}
untagged = client.untag_resource(resourceArn=workflow, tagKeys=["a b/c", "d=e", "unknown"])
assert set(untagged) == {"ResponseMetadata"}, untagged
assert client.list_tags_for_resource(resourceArn=workflow)["tags"] == {"keep": ""}

# W11: all pages, and dates in both forms (W14).
for n in range(5):
    client.create_component(name=f"page-{n}", semanticVersion="1.0.0", platform="Linux", data=DOCUMENT)
pages = [p["componentVersionList"] for p in client.get_paginator("list_components").paginate(PaginationConfig={"PageSize": 2})]
assert [len(p) for p in pages] == [2, 2, 2] and len({c["arn"] for p in pages for c in p}) == 6, pages
policy = client.create_lifecycle_policy(
    name="keep two",
    executionRole="role",
    resourceType="AMI_IMAGE",
    policyDetails=[{"action": {"type": "DELETE"}, "filter": {"type": "COUNT", "value": 2}}],
    resourceSelection={"tagMap": {"a": "b"}},
)["lifecyclePolicyArn"]
assert client.get_lifecycle_policy(lifecyclePolicyArn=policy)["lifecyclePolicy"]["dateCreated"].year >= 2026
assert got["dateCreated"].endswith("Z"), got

client.delete_image_recipe(imageRecipeArn=recipe)
client.delete_component(componentBuildVersionArn=component["componentBuildVersionArn"])
