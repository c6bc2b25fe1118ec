#!/bin/sh
# Makes certificates for a trial. Usage: certificates.sh FOLDER HOST DEVICE...
#
#   devices-authority.pem  signs devices, and nothing else
#   servers-authority.pem  signs brokers and workers; devices and workers trust it
#   server.pem, worker.pem, DEVICE.pem, each with its .key
set -eu
[ $# -ge 2 ] || { echo "usage: certificates.sh FOLDER HOST DEVICE..." >&2; exit 64; }
folder=$1 host=$2
shift 2
umask 077
mkdir -p "$folder"

# NAME, COMMON-NAME: a new authority for ten years.
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$2" \
        -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -keyout "$folder/$1.key" -out "$folder/$1.pem" 2>/dev/null
}

# NAME, COMMON-NAME, AUTHORITY, EXTENSIONS: a new certificate for 90 days.
certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" \
        -keyout "$folder/$1.key" -out "$folder/$1.csr" 2>/dev/null
    printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n%b\n' "$4" > "$folder/$1.ext"
    openssl x509 -req -in "$folder/$1.csr" -CA "$folder/$3.pem" -CAkey "$folder/$3.key" -CAcreateserial \
        -days 90 -extfile "$folder/$1.ext" -out "$folder/$1.pem" 2>/dev/null
    rm "$folder/$1.csr" "$folder/$1.ext"
}

case $host in
    *[!0-9.]*) name="DNS:$host" ;;
    *) name="IP:$host" ;;
esac
authority devices-authority "Kolbox devices"
authority servers-authority "Kolbox servers"
certificate server "$host" servers-authority "extendedKeyUsage=serverAuth\nsubjectAltName=$name"
certificate worker gateway.worker servers-authority "extendedKeyUsage=clientAuth"
for device in "$@"; do
    certificate "$device" "$device" devices-authority "extendedKeyUsage=clientAuth"
done
