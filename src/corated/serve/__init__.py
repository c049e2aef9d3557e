"""The service: a store of ratings, answered over HTTP; see `corated serve` and docs/serve.md."""
