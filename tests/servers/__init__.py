"""Real servers for tests: started on loopback in a temporary folder, gone with the test, however it ends."""
