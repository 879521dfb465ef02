"""Kubernetes API servers on the wire: request attributes, what they mean, and the manifests they carry."""

from __future__ import annotations

from comptroller.decode.kubernetes.codec import KubernetesCodec

__all__ = ["KubernetesCodec"]
