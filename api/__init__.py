"""The HTTP API: clients submit jobs, operators watch and change them. No job code is imported."""
