#include "router/serve/dispatcher.hpp"

#include <algorithm>

#include "backends/rpc.hpp"
#include "fast/encoder.hpp"
#include "router/plan/errors.hpp"
#include "router/plan/reply_edit.hpp"
#include "router/serve/cells.hpp"
#include "router/serve/fan_out.hpp"
#include "router/serve/single_exchange.hpp"

namespace router {
namespace {

constexpr std::size_t kDocumentBytesKept = 1 << 20;

std::optional<std::chrono::milliseconds> deadline_of(const Method& method,
                                                     std::optional<double> timeout_ms,
                                                     const DispatchLimits& limits) {
  if (method.deadline == DeadlineClass::none) return std::nullopt;
  const std::chrono::milliseconds usual = usual_deadline(method, limits);
  if (!timeout_ms || !(*timeout_ms >= 0)) return usual;
  if (*timeout_ms == 0) return std::nullopt;
  constexpr double kYearMs = 365.0 * 24 * 3600 * 1000;
  const std::chrono::milliseconds asked(static_cast<std::int64_t>(std::min(*timeout_ms, kYearMs)));
  return std::max(usual, asked + std::chrono::seconds(1));
}

/// `m.name`, where the request has one.
std::optional<json::Value> rpc_name(json::Value root) {
  const auto m = root.find("m");
  if (!m || !m->is(json::Type::object)) return std::nullopt;
  const auto name = m->find("name");
  if (!name || !name->is(json::Type::string) || name->raw_string().empty()) return std::nullopt;
  return name;
}

}  // namespace

DispatchContext::DispatchContext(std::shared_ptr<Bounds> of_process)
    : bounds(std::move(of_process)),
      memory(std::shared_ptr<budget::Budget>(bounds, &bounds->memory)), held(*bounds) {}
DispatchContext::~DispatchContext() = default;

void DispatchContext::shrink() {
  request.shrink(kDocumentBytesKept);
  reply.shrink(kDocumentBytesKept);  // after a giant one
  constexpr std::size_t kKept = 1024;
  if (spare.size() <= kKept) return;
  spare.resize(std::max(kKept, spare.size() - spare.size() / 8));
  if (spare.size() == kKept) spare.shrink_to_fit();
}

void write_error_frame(std::string& out, fast::Version version, std::uint32_t message_id,
                       std::string_view rpc, const fast::Error& error) {
  const std::size_t frame = fast::begin_frame(out);
  fast::append_error_payload(out, rpc, now_uts(), error);
  fast::finish_frame(out, frame, version, fast::Status::error, message_id);
}

Dispatched Dispatcher::take(const fast::Frame& frame, ClientPort& client) {
  const auto answer = [&](std::string_view rpc, const fast::Error& error, Dispatched result) {
    write_error_frame(client.output(), frame.version, frame.message_id, rpc, error);
    client.output_grew();
    return result;
  };
  const auto no_room = [&] {
    if (context_.cells != nullptr) context_.cells->over_budget();
    return answer({}, errors::over_budget(context_.memory.bytes_max()), Dispatched::taken);
  };
  // Before it costs anything.
  budget::Charge charge(context_.memory);
  if (!charge.grow(Exchange::cost_of(frame.payload.size()))) return no_room();
  const auto problem = context_.request.parse(frame.payload);
  if (problem && problem->fault == json::Fault::too_deep)
    return answer({}, errors::too_deep(frame.message_id), Dispatched::taken);
  if (problem) return answer({}, errors::bad_payload("payload is not JSON"), Dispatched::broken);
  if (!charge.grow(Exchange::cost_of_tree(context_.request.tokens()))) return no_room();
  const json::Value root = context_.request.root();
  const auto d = root.is(json::Type::object) ? root.find("d") : std::nullopt;
  if (!d || !d->is(json::Type::array))
    return answer({}, errors::bad_payload("payload is not an object with an array \"d\""),
                  Dispatched::broken);

  const auto name_value = rpc_name(root);
  if (!name_value) return answer({}, errors::not_well_formed(frame.message_id), Dispatched::taken);
  std::string scratch;
  const std::string_view name = name_value->string(scratch);
  const auto rpc = backends::rpc_named(name);
  if (!rpc)
    return answer(name, errors::unsupported_method(name, frame.message_id), Dispatched::taken);

  Exchange::Origin origin;
  origin.client = &client;
  origin.message_id = frame.message_id;
  origin.version = frame.version;
  origin.charge = std::move(charge);
  origin.method = &method_of(*rpc);
  origin.ring = context_.ring;
  if (!context_.batch_time) context_.batch_time = Exchange::Clock::now();
  origin.started = *context_.batch_time;
  Planned planned =
      plan(*origin.method, frame.payload, *d, *origin.ring->snapshot, context_.plan_scratch);
  if (!std::holds_alternative<Reject>(planned.decision))
    origin.deadline = deadline_of(*origin.method, planned.timeout_ms, context_.limits);
  act(planned, std::move(origin), frame);
  if (frame.payload.size() > kDocumentBytesKept) context_.request.shrink(kDocumentBytesKept);
  return Dispatched::taken;
}

void Dispatcher::act(Planned& planned, Exchange::Origin origin, const fast::Frame& frame) {
  const Decision& decision = planned.decision;
  ClientPort& client = *origin.client;
  const Method& method = *origin.method;
  if (std::holds_alternative<Hold>(decision)) {
    hold(std::move(origin), frame);
    return;
  }
  const auto completed = [&](bool failed) {
    if (context_.cells == nullptr) return;
    context_.cells->request_completed(method.rpc, Exchange::Clock::now() - origin.started, failed);
  };
  if (const auto* rejected = std::get_if<Reject>(&decision)) {
    reject(rejected->error, origin, frame);
    return;
  }
  if (const auto* here = std::get_if<AnswerHere>(&decision)) {
    std::string& out = client.output();
    for (const bool end : {false, true}) {
      if (!end && here->value.empty()) continue;
      const std::size_t begin = fast::begin_frame(out);
      fast::append_values_payload(out, method.name, now_uts(), end ? "" : here->value);
      fast::finish_frame(out, begin, frame.version, end ? fast::Status::end : fast::Status::data,
                         frame.message_id);
    }
    client.output_grew();
    completed(false);
    return;
  }
  if (std::holds_alternative<ToAll>(decision)) {
    FanOut& whole = FanOut::make(context_, std::move(origin));
    client.started(frame.message_id, whole);
    whole.start(frame.payload, frame.checksum, frame.version);
    return;
  }
  std::optional<ToShard> target;
  if (const auto* shard = std::get_if<ToShard>(&decision)) target = *shard;
  if (context_.heat != nullptr && target && target->vnode) context_.heat->operation(*target->vnode);
  SingleExchange& exchange = SingleExchange::make(context_, std::move(origin));
  client.started(frame.message_id, exchange);
  exchange.start(target, planned.edits, frame);
}

void Dispatcher::reject(const fast::Error& error, const Exchange::Origin& origin,
                        const fast::Frame& frame) {
  const Method& method = *origin.method;
  write_error_frame(origin.client->output(), frame.version, frame.message_id, method.name, error);
  origin.client->output_grew();
  if (context_.cells == nullptr) return;
  context_.cells->request_completed(method.rpc, Exchange::Clock::now() - origin.started, true);
  if (method.write && error.name == "ReadOnlyError") context_.cells->write_refused();
}

void Dispatcher::hold(Exchange::Origin origin, const fast::Frame& frame) {
  ClientPort& client = *origin.client;
  if (!context_.held.take_room(frame.payload.size())) {
    if (context_.cells != nullptr) context_.cells->gate().overflowed.add();
    return reject(errors::read_only_vnodes(), origin, frame);
  }
  if (context_.cells != nullptr) context_.cells->gate().held.add();
  Exchange* exchange;
  if (origin.method->route == Route::all_shards)
    exchange = &FanOut::make(context_, std::move(origin));
  else
    exchange = &SingleExchange::make(context_, std::move(origin));
  client.started(frame.message_id, *exchange);
  exchange->hold(frame.payload);
}

bool Dispatcher::valid_client_error(const fast::Frame& frame) {
  return !context_.request.parse(frame.payload) && valid_error(context_.request.root());
}

}  // namespace router
