#!/usr/bin/env bash
source ./lib.sh
. "$HOME/.cups"

LIMIT=3
readonly SHELF="shelf"

# Counts the cups.
count() {
  local cups=0
  for cup in "$@"; do
    if [[ -n $cup ]]; then
      cups=$((cups + 1))
    fi
  done
  echo "$cups"
}

function pour {
  while read -r cup; do
    case $cup in
      tea) count 'tea' ;;
      *) return 1 ;;
    esac
  done
}
