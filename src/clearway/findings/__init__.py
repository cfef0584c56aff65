"""The findings desk: leases, reports, validation, deduplication, cases."""
