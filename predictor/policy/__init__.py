"""What we owe those who see our pictures: saying that they were altered."""
