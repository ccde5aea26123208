"""What the test programs share: installing clients and starting brokers. Standard library only."""
