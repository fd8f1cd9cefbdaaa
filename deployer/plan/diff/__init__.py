"""What a plan would change, object by object, without the noise of what only servers write."""
