"""A certificate for 127.0.0.1 that signs itself, and its key, for TLS servers in tests.

No secret at all: the key is public, no client trusts the certificate, and it names loopback only. The
standard library cannot make one, and a dependency only for that would cost every user more.
"""

CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBrTCCAVOgAwIBAgIUDcKYdwz8dL21W96FU5G/foAvB8UwCgYIKoZIzj0EAwIw
HTEbMBkGA1UEAwwSYWlyYnl0ZS1zeW5jIHRlc3RzMCAXDTI2MTEyMTEwMzMxMloY
DzIxMjYxMDI4MTAzMzEyWjAdMRswGQYDVQQDDBJhaXJieXRlLXN5bmMgdGVzdHMw
WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASRg9iiwCJL6uORpw5X1d4cLg4CCbO5
8iowPCvET9Ryw01Vo9BgKX4GEpPz1dHjh1pxCbfLMWAb7KIfdCPkgROgo28wbTAd
BgNVHQ4EFgQU8i9YnFvmRGeAh9ozpHmqEUOhoiQwHwYDVR0jBBgwFoAU8i9YnFvm
RGeAh9ozpHmqEUOhoiQwGgYDVR0RBBMwEYcEfwAAAYIJbG9jYWxob3N0MA8GA1Ud
EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgaYdYKvrmtXm/gKYEG7jQ/WC8
ZY1qMF6O0H7D9Wuju6wCIQC7xrUsTXSI5c8437U+m/we5WivhaID7KhFKPNFZWxF
Fg==
-----END CERTIFICATE-----
"""

KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdoJ8Xoj46zKouGZ0
s5Sc63iY5hOlnnU0coYt/amZa/GhRANCAASRg9iiwCJL6uORpw5X1d4cLg4CCbO5
8iowPCvET9Ryw01Vo9BgKX4GEpPz1dHjh1pxCbfLMWAb7KIfdCPkgROg
-----END PRIVATE KEY-----
"""

LOCKED_KEY = """\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAg+F41E15HxfgICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEG0etAXKSSJ/cLoEEBSPF6sEgZBa
osM8R8Do/kOORNIpd83lbRzGD6dIuFnMupQxGdL2j+LjaUXMhrPwIzV83eKXFuJS
Ndq5NO6JwYyyVCqTXqogrpt5N0foyU6M9G6nS8vLuEt+K9/R+iDCsu82FA+2w9T0
/xwFcdU/O5VE79FameyNtKkXQIq/hnY5wX0gu6P4HAyy+pRBqLV0kFHmcfesnxM=
-----END ENCRYPTED PRIVATE KEY-----
"""
"""The same key, with a pass phrase that is not needed."""
