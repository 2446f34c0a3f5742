"""Drawing on a terminal that others write to as well."""
