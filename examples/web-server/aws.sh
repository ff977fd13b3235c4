#!/usr/bin/env bash
# Bakes the web server image with `aws imagebuilder` calls only, from create to
# delete, then starts it. It runs against any Ingot server:
#
#     ingot serve &                            # in another terminal
#     ingot base build debian-12               # once
#     eval "$(ingot env)"                      # endpoint and access key
#     examples/web-server/aws.sh
#
# AWS= picks the client (default: aws), KEEP=1 leaves everything in place.
set -euo pipefail
cd "$(dirname "$0")"

# Clients older than 2.13 do not read AWS_ENDPOINT_URL, so it is given each time.
: "${AWS_ENDPOINT_URL:?run: eval \"\$(ingot env)\"}"
ib() { "${AWS:-aws}" --endpoint-url "$AWS_ENDPOINT_URL" --output text imagebuilder "$@"; }
ingot=${INGOT:-ingot}
region=$AWS_REGION
name=web-server-$$ # a name of its own, so that runs do not meet

say() { printf '\n-- %s\n' "$*" >&2; }

# --- components: what is done to the base image, and what is checked ---------

say "components"
component=$(ib create-component --name "$name" --semantic-version 1.0.0 --platform Linux \
    --description 'nginx with one page, hardened' --data file://components/web-server.yaml \
    --query componentBuildVersionArn)
check=$(ib create-component --name "$name-test" --semantic-version 1.0.0 --platform Linux \
    --data file://components/web-server-test.yaml --query componentBuildVersionArn)
echo "$component"
echo "$check"

# A component is listed once per version; filters are ANDed.
ib list-components --owner Self --filters "name=name,values=$name" "name=platform,values=Linux" \
    --query 'componentVersionList[].[arn,type]'
ib get-component --component-build-version-arn "$check" --query component.type

# --- base image: from the managed catalogue -----------------------------------

say "base image"
ib list-images --owner Amazon --filters name=name,values=debian-12-x86 --query 'imageVersionList[].[arn,osVersion]'
parent=arn:aws:imagebuilder:$region:aws:image/debian-12-x86/x.x.x

# --- recipe: base, components, their order and parameters ----------------------

say "recipe"
recipe=$(ib create-image-recipe --name "$name" --semantic-version 1.0.0 --parent-image "$parent" \
    --components "[{\"componentArn\":\"$component\",\"parameters\":[{\"name\":\"Message\",\"value\":[\"Baked by the AWS CLI.\"]}]},{\"componentArn\":\"$check\"}]" \
    --tags team=platform --query imageRecipeArn)
echo "$recipe"

# --- where it is built, and where it goes --------------------------------------

say "configurations"
infrastructure=$(ib create-infrastructure-configuration --name "$name" --instance-profile-name ingot \
    --instance-types t3.small --terminate-instance-on-failure --query infrastructureConfigurationArn)
distribution=$(ib create-distribution-configuration --name "$name" \
    --distributions "[{\"region\":\"$region\",\"amiDistributionConfiguration\":{\"name\":\"$name {{ imagebuilder:buildDate }}\",\"amiTags\":{\"role\":\"web\"}}}]" \
    --query distributionConfigurationArn)
echo "$infrastructure"
echo "$distribution"

# --- pipeline: weekly, when something it depends on has changed ------------------

say "pipeline"
pipeline=$(ib create-image-pipeline --name "$name" --image-recipe-arn "$recipe" \
    --infrastructure-configuration-arn "$infrastructure" --distribution-configuration-arn "$distribution" \
    --schedule 'scheduleExpression=cron(0 3 ? * SUN *),pipelineExecutionStartCondition=EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE' \
    --query imagePipelineArn)
ib get-image-pipeline --image-pipeline-arn "$pipeline" --query 'imagePipeline.[arn,status,dateNextRun]'

# --- build: start the pipeline and follow the image ------------------------------

say "build"
image=$(ib start-image-pipeline-execution --image-pipeline-arn "$pipeline" --query imageBuildVersionArn)
echo "$image"
last=
while :; do
    status=$(ib get-image --image-build-version-arn "$image" --query image.state.status)
    [[ $status == "$last" ]] || echo "$(date -u +%T) $status"
    last=$status
    case $status in
        AVAILABLE) break ;;
        FAILED | CANCELLED)
            ib get-image --image-build-version-arn "$image" --query image.state.reason
            exit 1 ;;
    esac
    sleep 1
done

say "what ran"
if executions=$(ib list-workflow-executions --image-build-version-arn "$image" --query 'workflowExecutions[].workflowExecutionId' 2>/dev/null); then
    for execution in $executions; do
        ib get-workflow-execution --workflow-execution-id "$execution" --query '[type,status,totalStepCount]'
        ib list-workflow-step-executions --workflow-execution-id "$execution" --query 'steps[].[name,status,startTime,endTime]'
    done
else
    echo "this AWS CLI is older than the operations that list workflow steps: $ingot logs $image"
fi

# --- outputs ---------------------------------------------------------------------

say "outputs"
ib list-image-pipeline-images --image-pipeline-arn "$pipeline" --query 'imageSummaryList[].[arn,version,state.status]'
ami=$(ib get-image --image-build-version-arn "$image" --query 'image.outputResources.amis[0].image')
echo "$ami"

# --- launch and check ------------------------------------------------------------

say "launch"
"$ingot" image launch "$ami" --exec 'systemctl start nginx && curl -fsS http://127.0.0.1/' | tee /dev/stderr | grep -q 'Baked by the AWS CLI.'

# --- delete all, users before what they use ---------------------------------------

if [[ ${KEEP:-} != 1 ]]; then
    say "delete"
    ib delete-image --image-build-version-arn "$image" >/dev/null
    ib delete-image-pipeline --image-pipeline-arn "$pipeline" >/dev/null
    ib delete-distribution-configuration --distribution-configuration-arn "$distribution" >/dev/null
    ib delete-infrastructure-configuration --infrastructure-configuration-arn "$infrastructure" >/dev/null
    ib delete-image-recipe --image-recipe-arn "$recipe" >/dev/null
    ib delete-component --component-build-version-arn "$component" >/dev/null
    ib delete-component --component-build-version-arn "$check" >/dev/null
    # As with the vendor's service the AMI outlives its image resource.
    "$ingot" image rm "$ami"
fi
say "done"
