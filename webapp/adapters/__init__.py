"""The adapters that speak to real services, behind the same ports as the sandbox's."""
