"""Contract suites and problems for searchers and stores, ours and third parties'."""
