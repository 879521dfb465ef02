"""Public test kit: real servers on loopback that stand in for clouds, payment services, model APIs and worse places."""
