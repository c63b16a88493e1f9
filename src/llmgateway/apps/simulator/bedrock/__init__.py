"""Amazon Bedrock's converse protocol, as a provider speaks it."""
