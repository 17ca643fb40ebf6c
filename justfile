# What one does every day. Each recipe is one command that works without `just` as well.

# What CI runs before the tests: format, lints, docs, borders.
check:
    .ci/run fmt clippy doc purity

# All tests, those with real peers among them.
test:
    script/test

# The tests that need no peer.
unit:
    script/test unit

# One real call on this machine, then stay up.
demo *options:
    script/demo {{options}}

# No async runtime in the pure crates, and no knowledge of each other.
purity:
    script/purity

# Licences, sources, doubled crates.
deny:
    .ci/run deny

# All benches, or those whose names match.
bench *filter:
    cargo bench --package benches -- {{filter}}

# What 50 calls cost on this machine.
measure *options:
    script/measure {{options}}

# How good speech is when packets are lost, 3 to 10 percent of them.
quality:
    script/quality

# Every fuzz target for so many seconds.
fuzz seconds="60":
    FUZZ_SECONDS={{seconds}} .ci/run fuzz

# Everything that CI runs.
ci:
    .ci/run
