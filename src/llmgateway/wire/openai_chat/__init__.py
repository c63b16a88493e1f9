"""The OpenAI chat protocol, at both ends: our own vocabulary at the ingress, the commonest upstream protocol."""
