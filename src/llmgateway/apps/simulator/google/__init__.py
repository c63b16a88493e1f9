"""Google's generateContent protocol, as a provider speaks it."""
