#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "backends/moray/moray_shard.hpp"
#include "ring/ring.hpp"
#include "tests/support/router_process.hpp"

/// What a run of `ring_model` is about: a router process over embedded shards, and its clients.
namespace integration {

/// Where the router of a system in this directory has its admin socket.
[[nodiscard]] std::string admin_socket_of(const std::filesystem::path& directory);

/// Starts a router with two workers whose ring is this one, from a store of generations in the
/// directory, with an embedded shard for each pnode there. Fails the running test if it can't.
[[nodiscard]] std::unique_ptr<test_support::RouterProcess> start_over_embedded_shards(
    const std::filesystem::path& directory, const ring::Ring& ring,
    const std::vector<std::string>& pnodes);

/// A client with connections to that router; it connects while `loop` runs.
[[nodiscard]] std::unique_ptr<backends::moray::MorayShard> connect_to(
    const test_support::RouterProcess& router, boost::asio::io_context& loop);

/// Sends one request, whose answer `sink` gets. Fails the running test where it is refused.
void submit_to(backends::moray::MorayShard& session, backends::Rpc rpc,
               const std::string& arguments, backends::ReplySink& sink);

}  // namespace integration
