#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "config/config.hpp"
#include "ring/leveldb_store.hpp"
#include "router/app.hpp"
#include "router/cli/commands.hpp"
#include "router/cli/service.hpp"
#include "router/control/prepare.hpp"
#include "router/control/ring_files.hpp"
#include "router/serve/shard_factory.hpp"

namespace router::cli {
namespace {

struct ServeOptions {
  std::string config_file;
  config::Overrides overrides;  // electric-moray's flags, from the ring's
  int verbose = 0;
  bool check = false;
  bool detach = false;
};

int fail(const std::string& text, int exit_code = 1) {
  std::fprintf(stderr, "moray-router: %s\n", text.c_str());
  return exit_code;
}

/// Ring and shards too, so that `--check` finds what a start would find.
int check(const config::Config& config) {
  const auto ring = load_ring(config.ring_location, load_in_child().load).ring;
  auto resolved = config::resolve_shards(config, {ring->pnodes().begin(), ring->pnodes().end()});
  for (const auto& warning : resolved.warnings)
    std::fprintf(stderr, "warning: %s: %s\n", warning.path.c_str(), warning.message.c_str());
  if (!resolved.problems.empty()) return fail("\n" + config::to_text(resolved.problems));
  std::printf("the configuration is good: %zu shards, a ring of %u vnodes, digest %s\n",
              resolved.shards.size(), ring->vnode_count(), ring->digest().c_str());
  return 0;
}

/// So that the bound on sessions is the configuration's, and not the shell's. As far as the system
/// lets it.
void raise_descriptor_limit(const config::Config& config) {
  const std::uint64_t each =
      std::max(config.pool.point_connections, config.pool.postgres_point_connections) +
      config.pool.stream_connections_max;
  const std::uint64_t shards = std::max<std::uint64_t>(config.shards.size(), 1);
  const rlim_t wanted = config.limits.sessions_max + worker_count(config) * shards * each + 1'024;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= wanted) return;
  std::fprintf(
      stderr,
      "warning: limits.sessionsMax is %llu, for which %llu descriptors are needed, and the "
      "process may have %llu: raise its hard limit\n",
      static_cast<unsigned long long>(config.limits.sessions_max),
      static_cast<unsigned long long>(wanted), static_cast<unsigned long long>(limit.rlim_cur));
}

/// What is wrong with the configuration or the ring stays wrong until somebody mends it: under a
/// service manager that is another exit code than a port in use.
int start(const ServeOptions& options, Service& service) {
  const int exit_code = options.detach ? kExitConfiguration : 1;
  config::Parsed parsed = config::load_file(options.config_file);
  for (const auto& warning : parsed.warnings)
    std::fprintf(stderr, "warning: %s: %s\n", warning.path.c_str(), warning.message.c_str());
  if (!parsed.problems.empty())
    return fail(std::to_string(parsed.problems.size()) + " problems in " + options.config_file +
                    ":\n" + config::to_text(parsed.problems),
                exit_code);
  parsed.config.overrides = options.overrides;
  if (options.verbose > 0)
    parsed.config.overrides.log_level = options.verbose == 1 ? "debug" : "trace";
  apply_overrides(parsed.config);
  if (parsed.config.ring_location.empty())
    return fail("no ring: give -r or ring.location", exit_code);
  try {
    if (options.check) return check(parsed.config);
    raise_descriptor_limit(parsed.config);
    App app(parsed.config, options.config_file, STDOUT_FILENO, App::Signals::ours, load_in_child());
    if (!app.stops()) service.ready();
    app.run();
    return 0;
  } catch (const ring::RingError& error) {
    return fail(error.what(), exit_code);
  } catch (const ConfigurationError& error) {
    return fail(error.what(), exit_code);
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}

int serve(const ServeOptions& options) {
  Service service(options.detach);
  const int exit_code = start(options, service);
  if (exit_code != 0) service.failed(exit_code);
  return exit_code;
}

}  // namespace

void add_serve(CLI::App& program, int& exit_code) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command =
      program.add_subcommand("serve", "Routes clients' requests to the shards of a ring");
  command
      ->add_option("-f,--config", options->config_file,
                   "The configuration: ours or electric-moray's")
      ->required();
  command->add_option("-r,--ring", options->overrides.ring_location,
                      "The ring's directory, instead of the configuration's");
  command->add_option("-p,--port", options->overrides.port,
                      "The port for clients, instead of the configuration's");
  command->add_option("-k,--monitor-port", options->overrides.monitor_port,
                      "The port of /metrics and /kang");
  command->add_option("-s,--status-port", options->overrides.status_port, "The port of /status");
  command->add_option("--admin-socket", options->overrides.admin_socket,
                      "The socket for `moray-router admin`");
  command->add_flag("-v,--verbose", options->verbose, "Logs more; twice: everything");
  command->add_flag("--detach", options->detach,
                    "Goes on in the background; returns when clients are served, or with 96 where "
                    "configuration or ring are no good");
  command->add_flag("--check", options->check, "Only checks configuration and ring");
  command->callback([options, &exit_code] { exit_code = serve(*options); });
}

}  // namespace router::cli
