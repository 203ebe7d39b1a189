#!/bin/sh
# Stands in for Microsoft's archiver where C is not compiled: makes the file that it would make.
for word in "$@"; do
    case "$word" in
        [-/]out:* | [-/]OUT:*) : >"${word#?????}" ;;
    esac
done
