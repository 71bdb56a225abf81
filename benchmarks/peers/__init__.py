"""What people build today with the same model, to be measured beside this service."""
