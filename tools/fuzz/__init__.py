"""Journals of any content, given to the reader and to the shipper's pipelines."""
