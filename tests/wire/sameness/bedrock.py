"""Rules by which requests to Bedrock's converse count as the same."""

from tests.wire.sameness.everywhere import Body, default, merged, parsed


def model_stands_in_the_path(body: Body) -> None:
    """Some recorders kept the parameters of the SDK, in which the model of the path stands with the others."""
    body.pop("modelId", None)


def turns_are_merged(body: Body) -> None:
    """Messages of one role in a row are one turn (converse refuses any others)."""
    body["messages"] = merged(body["messages"], "content")


def defaults_are_absent(body: Body) -> None:
    """Documented defaults: tools are chosen by the model, results are no failures, the tier is the default one, Claude
    thinks with high effort; and empty objects and lists ask for nothing."""
    default(body.get("toolConfig", {}), toolChoice={"auto": {}})
    default(body.get("inferenceConfig", {}), stopSequences=[])
    fields = body.get("additionalModelRequestFields", {})
    default(fields.get("output_config", {}), effort="high")
    default(fields, output_config={})
    default(body, system=[], inferenceConfig={}, additionalModelRequestFields={}, serviceTier={"type": "default"})
    for message in body["messages"]:
        for block in message["content"]:
            default(block.get("toolResult", {}), status="success")


def thinking_has_one_name(body: Body) -> None:
    """`reasoning_config` is what `thinking` was called first (docs.aws.amazon.com/bedrock, Claude 3.7)."""
    fields = body.get("additionalModelRequestFields", {})
    if isinstance(fields.get("reasoning_config"), dict):
        fields["thinking"] = fields.pop("reasoning_config")


def schemas_are_read(body: Body) -> None:
    """The schema of an answer is a string that holds JSON; white space in it means nothing."""
    shape = body.get("outputConfig", {}).get("textFormat", {}).get("structure", {}).get("jsonSchema")
    if shape:
        shape["schema"] = parsed(shape["schema"])
