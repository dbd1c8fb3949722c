"""A cluster's shape changes while workflows run: hosts come, go and are renamed, roles move."""
