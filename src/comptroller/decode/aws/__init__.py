"""AWS on the wire: every service and operation botocore has a model of, decoded strictly and encoded anew."""

from comptroller.decode.aws.codec import AwsCodec

__all__ = ["AwsCodec"]
