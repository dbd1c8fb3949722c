"""The subscription-renewal workflow: the smoke test. The Temporal SDK is imported only in this room."""
