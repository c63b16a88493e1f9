"""The data plane's door: a lean HTTP protocol under uvicorn, admission by headers, and the few pages beside chat."""
