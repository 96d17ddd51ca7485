#include "backends/moray/moray_shard.hpp"

#include <algorithm>

namespace backends::moray {
namespace {

constexpr std::uint64_t kWaitingBit = std::uint64_t{1} << 63;
constexpr int kMessageIdBits = 31;

/// A sent request's ticket: its connection's number and its message id there.
Ticket ticket_of(const Connection& connection, std::uint32_t message_id) {
  return Ticket{connection.id() << kMessageIdBits | message_id};
}

std::uint64_t connection_number(std::uint64_t ticket) { return ticket >> kMessageIdBits; }

Submitted refused(FailureKind kind, const char* message) {
  return {std::nullopt, Failure{kind, message, "{}"}};
}

const char* no_connection_text(const Request& request) {
  return request.stream ? "no active connections" : "no connections available";
}

}  // namespace

MorayShard::MorayShard(boost::asio::io_context& loop, std::shared_ptr<AddressSource> source,
                       MorayShardOptions options)
    : options_(options), pool_(loop, std::move(source), options.pool, *this) {}

Connection* MorayShard::connection_for(const Request& request) {
  return request.stream ? pool_.stream() : pool_.point(request.affinity);
}

Submitted MorayShard::submit(const Request& request, ReplySink& sink) {
  if (retired_) return refused(FailureKind::no_connections, no_connection_text(request));
  if (pool_.in_flight() + waiting_.size() >= options_.in_flight_max)
    return refused(FailureKind::overloaded, "too many requests are in flight to this shard");
  if (!waiting_.empty()) serve_waiting();  // those that came before go before
  if (Connection* connection = connection_for(request))
    return {ticket_of(*connection, connection->send(request, sink)), {}};
  if (request.stream ? pool_.stream_hopeless() : pool_.hopeless())
    return refused(FailureKind::no_connections, no_connection_text(request));
  return wait(request, sink);
}

Submitted MorayShard::wait(const Request& request, ReplySink& sink) {
  if (waiting_.size() >= options_.waiting_max)
    return refused(FailureKind::overloaded,
                   "too many requests wait for a connection to this shard");
  Waiting entry{kWaitingBit | ++next_waiting_, {}, request, &sink};
  for (const std::string_view piece : request.pieces) entry.payload.append(piece);
  entry.request.pieces = {};
  waiting_.push_back(std::move(entry));
  return {Ticket{waiting_.back().ticket}, {}};
}

/// In order of arrival, so that a vnode's requests keep theirs.
void MorayShard::serve_waiting() {
  for (auto entry = waiting_.begin(); entry != waiting_.end();) {
    Connection* connection = connection_for(entry->request);
    if (connection == nullptr) {
      ++entry;
      continue;
    }
    const std::string_view pieces[] = {entry->payload};
    entry->request.pieces = pieces;
    aliases_.emplace(entry->ticket,
                     ticket_of(*connection, connection->send(entry->request, *entry->sink)).number);
    entry = waiting_.erase(entry);
  }
}

void MorayShard::fail_hopeless() {
  const bool point = pool_.hopeless();
  const bool stream = pool_.stream_hopeless();
  if (waiting_.empty() || (!point && !stream)) return;
  std::deque<Waiting> failed, kept;
  for (Waiting& entry : waiting_)
    ((entry.request.stream ? stream : point) ? failed : kept).push_back(std::move(entry));
  waiting_ = std::move(kept);  // before the sinks are told: they may submit again
  for (const Waiting& entry : failed)
    entry.sink->on_failure({FailureKind::no_connections, no_connection_text(entry.request), "{}"});
}

void MorayShard::connections_changed() {
  serve_waiting();
  fail_hopeless();
  retire_pool_when_done();
}

void MorayShard::connection_idle(Connection& connection) {
  connection_gone(connection);
  if (!waiting_.empty() && pool_.is_stream(connection)) serve_waiting();
  retire_pool_when_done();
}

/// Its aliases name requests that are over.
void MorayShard::connection_gone(const Connection& connection) {
  if (aliases_.empty()) return;
  boost::unordered::erase_if(aliases_, [&](const auto& alias) {
    return connection_number(alias.second) == connection.id();
  });
}

Connection* MorayShard::connection_of(Ticket ticket) {
  std::uint64_t number = ticket.number;
  if ((number & kWaitingBit) != 0) {
    const auto alias = aliases_.find(number);
    if (alias == aliases_.end()) return nullptr;
    number = alias->second;
  }
  return pool_.find(connection_number(number));
}

bool MorayShard::cancel(Ticket ticket) {
  if (std::erase_if(waiting_, [&](const Waiting& entry) { return entry.ticket == ticket.number; }) >
      0) {
    retire_pool_when_done();
    return true;
  }
  Connection* connection = connection_of(ticket);
  if (connection == nullptr || !pool_.is_stream(*connection)) return false;
  pool_.abandon(*connection);
  return true;
}

void MorayShard::pause(Ticket ticket) {
  if (Connection* connection = connection_of(ticket)) connection->pause();
}

void MorayShard::resume(Ticket ticket) {
  if (Connection* connection = connection_of(ticket)) connection->resume();
}

void MorayShard::retire() {
  retired_ = true;
  retire_pool_when_done();
}

void MorayShard::retire_pool_when_done() {
  if (retired_ && waiting_.empty()) pool_.retire();
}

bool MorayShard::idle() const { return retired_ && waiting_.empty() && pool_.count() == 0; }

bool MorayShard::healthy() const { return !retired_ && !pool_.hopeless(); }

ShardStatus MorayShard::status() const {
  ShardStatus status;
  status.healthy = healthy();
  status.connections = pool_.up();
  status.in_flight = pool_.in_flight() + waiting_.size();
  for (const auto& address : pool_.addresses()) {
    if (!status.address.empty()) status.address += ", ";
    status.address += address.address().to_string() + ":" + std::to_string(address.port());
  }
  status.last_problem = pool_.last_problem();
  return status;
}

}  // namespace backends::moray
