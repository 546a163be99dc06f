#!/bin/sh
# Start Grafana; where no admin password is set, make one and keep it in Grafana's volume.
# Read it with: docker compose exec grafana cat /var/lib/grafana/admin-password
set -eu
if [ -z "${GF_SECURITY_ADMIN_PASSWORD:-}" ]; then
    unset GF_SECURITY_ADMIN_PASSWORD
    file=/var/lib/grafana/admin-password
    if [ ! -s "$file" ]; then
        umask 077
        head -c 24 /dev/urandom | base64 | tr -d '/+=\n' > "$file.new"
        mv "$file.new" "$file"
    fi
    export GF_SECURITY_ADMIN_PASSWORD__FILE="$file"
fi
umask 022
exec /run.sh "$@"
