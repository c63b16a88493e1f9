"""The Bedrock converse protocol: one form of request for every vendor's models, the vendor's own words beside it."""
