"""The story of one run: built from the journal or from CloudWatch, told as Markdown, as a page, or as JSON."""
