"""What is HTTP and nothing else: bodies, problem details, overload, the OpenAPI document, dependencies."""
