#include "backends/postgres/wire/session_settings.hpp"

namespace backends::postgres {
namespace {

constexpr SessionSetting kSettings[] = {
    // Texts of values, which both sides of a comparison must write alike.
    {"TimeZone", "UTC", "UTC"},
    {"DateStyle", "ISO, YMD", "ISO"},
    {"IntervalStyle", "postgres", "postgres"},
    {"extra_float_digits", "3", "1"},
    {"bytea_output", "hex", "hex"},
    {"lc_monetary", "C"},
    {"xmlbinary", "base64"},
    {"xmloption", "content"},
    // What a statement says.
    {"client_encoding", "UTF8"},
    {"standard_conforming_strings", "on"},
    {"backslash_quote", "safe_encoding"},
    {"quote_all_identifiers", "off"},
    {"array_nulls", "on"},
    {"transform_null_equals", "off"},
    // Which rows it sees: an error is better than rows that a policy or an index leaves out.
    {"row_security", "off"},
    {"gin_fuzzy_search_limit", "0"},
    {"default_transaction_isolation", "read committed", "read committed"},
    {"default_transaction_deferrable", "off"},
    {"default_transaction_read_only", "off"},
    // Who ends it.
    {"statement_timeout", "0"},
    {"transaction_timeout", "0"},
    {"idle_in_transaction_session_timeout", "0"},
    {"idle_session_timeout", "0"},
    {"exit_on_error", "off"},
    // When it is done. To compile a statement takes longer than to run one of ours.
    {"jit", "off"},
    {"synchronous_commit", "on"},
};

}  // namespace

std::span<const SessionSetting> session_settings() { return kSettings; }

}  // namespace backends::postgres
