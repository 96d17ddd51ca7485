#include "tests/contract/shard_client.hpp"

#include <chrono>
#include <functional>

#include <boost/asio/executor_work_guard.hpp>

#include <doctest/doctest.h>

#include "json/document.hpp"

namespace test_support {
namespace {

constexpr std::chrono::seconds kPatience{20};

objects::JsValue parsed(std::string_view text) {
  json::Document document;
  if (document.parse(text)) throw std::runtime_error("no JSON: " + std::string(text));
  return objects::parse_value(document.root());
}

std::string text_of(const objects::JsValue& error, const char* name) {
  const objects::JsValue* member = error.get(name);
  return member == nullptr ? "?" : objects::to_text(*member);
}

}  // namespace

std::string Answer::error_text() const {
  if (failure) return "failure: " + failure->message;
  return error ? text_of(*error, "name") + ": " + text_of(*error, "message") : "";
}

void CollectingSink::collect(const backends::Reply& reply) {
  ++answer.frames;
  const objects::JsValue message = parsed(reply.payload);
  const objects::JsValue* d = message.get("d");
  REQUIRE(d != nullptr);
  REQUIRE(d->array() != nullptr);
  for (const objects::JsValue& value : *d->array())
    if (!value.is_null()) answer.values.push_back(value);
}

void CollectingSink::on_data(const backends::Reply& reply) {
  CHECK_FALSE(answer.done);
  collect(reply);
}

void CollectingSink::on_end(const backends::Reply& reply) {
  CHECK_FALSE(answer.done);
  collect(reply);
  answer.done = true;
}

void CollectingSink::on_error(const backends::Reply& reply) {
  CHECK_FALSE(answer.done);
  ++answer.frames;
  answer.error = *parsed(reply.payload).get("d");
  answer.done = true;
}

void CollectingSink::on_failure(const backends::Failure& failure) {
  CHECK_FALSE(answer.done);
  answer.failure = failure;
  answer.done = true;
}

std::string ShardClient::payload(backends::Rpc rpc, std::string_view arguments) {
  return "{\"m\":{\"uts\":1,\"name\":\"" + std::string(to_string(rpc)) +
         "\"},\"d\":" + std::string(arguments) + "}";
}

Answer ShardClient::call(backends::Rpc rpc, std::string_view arguments) {
  CollectingSink sink;
  const std::string text = payload(rpc, arguments);
  const std::string_view piece = text;
  backends::Request request;
  request.rpc = rpc;
  request.pieces = {&piece, 1};
  request.stream = rpc == backends::Rpc::find_objects || rpc == backends::Rpc::sql;
  const backends::Submitted submitted = shard_.submit(request, sink);
  if (!submitted.ticket) {
    sink.answer.failure = submitted.failure;
    return sink.answer;
  }
  CHECK_FALSE(sink.answer.done);  // never from inside submit
  run_until(loop_, [&] { return sink.answer.done; });
  return sink.answer;
}

void run_until(boost::asio::io_context& loop, const std::function<bool()>& done) {
  const auto limit = std::chrono::steady_clock::now() + kPatience;
  const auto keep_running = boost::asio::make_work_guard(loop);
  while (!done()) {
    REQUIRE(std::chrono::steady_clock::now() < limit);
    loop.restart();
    loop.run_one_for(std::chrono::milliseconds(20));
  }
}

void run_for(boost::asio::io_context& loop, std::chrono::milliseconds time) {
  const auto keep_running = boost::asio::make_work_guard(loop);
  loop.restart();
  loop.run_for(time);
  loop.restart();
  loop.poll();  // what came due while this thread had no processor
}

}  // namespace test_support
