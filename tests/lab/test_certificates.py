"""Certificates that Kubernetes will take: signed by the right authority, for the right use, names and groups."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shiftproof.lab import control_plane
from shiftproof.lab.certificates import Authority, Pair
from shiftproof.lab.network import CONTROL_IP, NODE_IPS


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> control_plane.Credentials:
    return control_plane.make_credentials(tmp_path_factory.mktemp("kubernetes"))


def load(pair: Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes())


def names(certificate: x509.Certificate, kind: x509.ObjectIdentifier) -> list[str]:
    return [str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(kind)]


def test_all_are_signed_by_their_authority_and_valid_now(made: control_plane.Credentials) -> None:
    authority, front = load(made.authority), load(made.front_authority)
    now = dt.datetime.now(dt.UTC)
    for pair, signer in (
        (made.api_server, authority),
        (made.admin, authority),
        (made.kubelet_servers["node-1"], authority),
        (made.metrics_server, authority),
        (made.front, front),
    ):
        certificate = load(pair)
        certificate.verify_directly_issued_by(signer)
        assert certificate.not_valid_before_utc < now < certificate.not_valid_after_utc


def test_keys_belong_to_their_certificates_and_are_roots_alone(made: control_plane.Credentials) -> None:
    for pair in (made.authority, made.api_server, made.admin):
        key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
        assert key.public_key() == load(pair).public_key()
        assert pair.key.stat().st_mode & 0o077 == 0


def test_the_api_server_is_known_by_every_address_it_is_called_at(made: control_plane.Credentials) -> None:
    hosts = load(made.api_server).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "kubernetes.default.svc" in hosts.get_values_for_type(x509.DNSName)
    for address in (CONTROL_IP, "198.19.0.1"):
        assert ipaddress.ip_address(address) in hosts.get_values_for_type(x509.IPAddress)


def test_a_nodes_names_are_what_the_node_authorizer_asks_for(made: control_plane.Credentials) -> None:
    for node, address in NODE_IPS.items():
        server = load(made.kubelet_servers[node])
        assert names(server, NameOID.COMMON_NAME) == [f"system:node:{node}"]
        assert names(server, NameOID.ORGANIZATION_NAME) == ["system:nodes"]
        hosts = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert ipaddress.ip_address(address) in hosts.get_values_for_type(x509.IPAddress)


def test_a_client_certificate_serves_no_server(tmp_path: Path) -> None:
    pair = Authority(tmp_path, "ca").client("someone", "user", ["group-a", "group-b"])
    uses = load(pair).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert names(load(pair), NameOID.ORGANIZATION_NAME) == ["group-a", "group-b"]


def test_each_user_has_a_kubeconfig_of_its_own(made: control_plane.Credentials) -> None:
    users = ["admin", "controller-manager", "scheduler", "dns", "metrics", "kubelet-node-1", "proxy-node-2"]
    configs = [json.loads(made.kubeconfig(user).read_text()) for user in users]
    assert len({config["users"][0]["user"]["client-certificate-data"] for config in configs}) == len(users)
    assert {config["clusters"][0]["cluster"]["server"] for config in configs} == {f"https://{CONTROL_IP}:6443"}
