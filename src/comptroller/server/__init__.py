"""What people and `run` talk to: control socket, attach socket, approvals page. Parse -> engine -> render, no rules."""
