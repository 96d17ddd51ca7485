#include "tests/integration/embedded_system.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include <nlohmann/json.hpp>

#include "ring/generation_store.hpp"
#include "tests/contract/shard_client.hpp"

namespace integration {

using backends::moray::MorayShard;
using nlohmann::json;
using test_support::RouterProcess;

std::string admin_socket_of(const std::filesystem::path& directory) {
  return directory / "admin.sock";
}

std::unique_ptr<RouterProcess> start_over_embedded_shards(const std::filesystem::path& directory,
                                                          const ring::Ring& ring,
                                                          const std::vector<std::string>& pnodes) {
  ring::GenerationStore store(directory / "ring");
  store.activate(store.stage_ring(ring).generation);
  json config{{"listen", {{"port", 0}}},
              {"monitor", {{"port", 0}}},
              {"status", {{"port", 0}}},
              {"workers", 2},
              {"timeouts", {{"holdMs", 60'000}, {"objectMs", 60'000}}},
              {"admin", {{"socket", admin_socket_of(directory)}}},
              {"ring", {{"location", (directory / "ring").string()}}}};
  for (const std::string& pnode : pnodes)
    config["shards"].push_back({{"pnode", pnode},
                                {"backend", "embedded"},
                                {"sync", false},
                                {"path", (directory / pnode).string()}});
  std::ofstream(directory / "config.json") << config;
  return std::make_unique<RouterProcess>(
      std::vector<std::string>{"serve", "--config", directory / "config.json"});
}

std::unique_ptr<MorayShard> connect_to(const RouterProcess& router, boost::asio::io_context& loop) {
  return std::make_unique<MorayShard>(
      loop,
      backends::moray::fixed_addresses(
          {{boost::asio::ip::make_address("127.0.0.1"), router.port()}}),
      backends::moray::MorayShardOptions{});
}

void submit_to(MorayShard& session, backends::Rpc rpc, const std::string& arguments,
               backends::ReplySink& sink) {
  const std::string text = test_support::ShardClient::payload(rpc, arguments);
  const std::string_view piece = text;
  backends::Request request;
  request.rpc = rpc;
  request.pieces = {&piece, 1};
  REQUIRE(session.submit(request, sink).ticket);
}

}  // namespace integration
