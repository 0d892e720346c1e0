"""What /openapi.json and /docs say: models of requests and answers. Nothing is served from here."""
