"""Does the sizing matter? The same workflows on the article's, the Helm chart's and our settings."""
