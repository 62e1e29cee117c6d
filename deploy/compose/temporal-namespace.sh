#!/bin/sh
# Makes the namespace and keyturn's search attributes. Safe to run again; the container is started again when it fails.
set -eu

temporal operator cluster health
temporal operator namespace describe -n default > /dev/null 2>&1 ||
  temporal operator namespace create -n default --retention 30d

for name in KeyturnCredential KeyturnProvider KeyturnStatus; do
  temporal operator search-attribute create -n default --name "$name" --type Keyword
done
temporal operator search-attribute create -n default --name KeyturnVersion --type Int
for name in KeyturnNextRotation KeyturnExpires; do
  temporal operator search-attribute create -n default --name "$name" --type Datetime
done
