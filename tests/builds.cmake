# Which builds ./test.sh runs each test in; docs/reliability.md says why. A test is named here at
# least once, an end-to-end test exactly once, as tests/tidy checks. `./test.sh --quick` and `--all`
# ask nothing of this.

# What depends on time, kills, fsyncs or volume, and what measures.
set(tests_of_release
  attack
  bench_proxy_batch bench_proxy_find bench_proxy_get-put bench_ring
  contract_differential contract_postgres_plan
  integration_kill integration_ring_kill
  node_control node_control_attacks node_dev node_dev_fleet node_failover
  node_fleet_cut_off node_fleet_damage node_fleet_ensemble node_fleet_faults node_fleet_foreign node_fleet_images
  node_fleet_large node_fleet_moves node_fleet_reinit node_fleet_reshard node_fleet_steps
  node_latency node_postgres_hostile node_reshard_asks node_reshard_bench node_reshard_buckets
  node_reshard_chains node_reshard_crash node_reshard_dump_lock node_reshard_edits node_reshard_ends
  node_reshard_failovers node_reshard_faults node_reshard_finalize node_reshard_forget
  node_reshard_gates node_reshard_hooks node_reshard_hosts node_reshard_journal node_reshard_leftovers
  node_reshard_log node_reshard_plans node_reshard_pump node_reshard_reads node_reshard_rehearsal
  node_reshard_renewal node_reshard_routers node_reshard_sites
  node_reshard_soak node_reshard_status node_reshard_supervise node_reshard_surroundings node_reshard_syncs node_reshard_tables
  node_reshard_upgrade
  node_serving_lease node_slow_reader node_turns
  replay_failures
  sim_fleet sim_reshard smf soak_short tidy
  unit_budget unit_fast unit_ring unit_router unit_turns)

# Parsers, the object model, the backends, and what moves rows: memory and arithmetic.
set(tests_of_asan
  contract_golden contract_postgres contract_coordination contract_fleet contract_reshard contract_shards
  node_backfill node_dns node_large_frames node_postgres_login node_postgres_names node_postgres_pooler node_reshard node_reshard_counts
  node_reshard_preflight node_serve node_start
  sim_fleet
  replay_crash replay_em replay_em-postgres replay_em-scripted replay_proto
  unit_config unit_embedded unit_fake unit_fast unit_fleet unit_json unit_moray unit_objects
  unit_postgres_pool unit_reshard unit_ring unit_ring_tool unit_router)

# Where threads meet: control, publication of rings, blocks, an embedded shard's owner, listeners.
set(tests_of_tsan
  contract_coordination contract_fleet contract_shards
  integration_ring_property
  node_admin node_blocks node_fleet node_ownership node_postgres node_prepare node_reload node_rings
  unit_budget unit_embedded)

set(MORAY_ROUTER_BUILD release)
if(MORAY_ROUTER_SANITIZE MATCHES "address")
  set(MORAY_ROUTER_BUILD asan)
elseif(MORAY_ROUTER_SANITIZE MATCHES "thread")
  set(MORAY_ROUTER_BUILD tsan)
endif()

# What this build's own tests need, and no more.
add_custom_target(tested)

# moray_router_builds(TEST): labels a test of this folder in_release, in_asan, in_tsan; one that is
# not named above runs everywhere.
function(moray_router_builds test)
  set(builds)
  foreach(build release asan tsan)
    if(test IN_LIST tests_of_${build})
      list(APPEND builds in_${build})
    endif()
  endforeach()
  if(NOT builds)
    set(builds in_release in_asan in_tsan)
  endif()
  set_property(TEST ${test} APPEND PROPERTY LABELS ${builds})
  if(TARGET ${test} AND in_${MORAY_ROUTER_BUILD} IN_LIST builds)
    add_dependencies(tested ${test})
  endif()
endfunction()
