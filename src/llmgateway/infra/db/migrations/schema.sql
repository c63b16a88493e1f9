CREATE TABLE exchanges (
	log_id TEXT NOT NULL,
	request_id TEXT NOT NULL,
	started_us BIGINT NOT NULL,
	duration_us BIGINT NOT NULL,
	ttft_us BIGINT,
	ttfr_us BIGINT,
	project TEXT NOT NULL,
	key_id TEXT NOT NULL,
	session_id TEXT,
	source TEXT,
	user_agent TEXT,
	trace_id TEXT,
	client_ip TEXT,
	custom TEXT,
	stream BOOLEAN NOT NULL,
	requested_model TEXT,
	requested_provider TEXT,
	used_model TEXT,
	used_provider TEXT,
	used_region TEXT,
	upstream_model TEXT,
	reported_model TEXT,
	status BIGINT NOT NULL,
	outcome TEXT NOT NULL,
	finish_reason TEXT,
	raw_finish_reason TEXT,
	error_type TEXT,
	error_code TEXT,
	error_message TEXT,
	truncated BOOLEAN NOT NULL,
	cached BOOLEAN NOT NULL,
	attempts BIGINT NOT NULL,
	prompt_tokens BIGINT NOT NULL,
	completion_tokens BIGINT NOT NULL,
	reasoning_tokens BIGINT NOT NULL,
	cached_tokens BIGINT NOT NULL,
	cache_write_tokens BIGINT NOT NULL,
	usage_source TEXT,
	cost_total BIGINT,
	cost_input BIGINT,
	cost_cached_input BIGINT,
	cost_cache_write BIGINT,
	cost_output BIGINT,
	cost_request BIGINT,
	cost_web_search BIGINT,
	cost_image_output BIGINT,
	price_version TEXT,
	dropped_parameters TEXT,
	routing TEXT,
	credential TEXT,
	attempt_started_us BIGINT,
	attempt_us BIGINT,
	PRIMARY KEY (log_id)
);

CREATE INDEX exchanges_project_started ON exchanges (project, started_us);

CREATE TABLE key_usage (
	key_id TEXT NOT NULL,
	requests BIGINT NOT NULL,
	prompt_tokens BIGINT NOT NULL,
	completion_tokens BIGINT NOT NULL,
	cost_micro BIGINT NOT NULL,
	cost_pico BIGINT NOT NULL,
	PRIMARY KEY (key_id)
);

CREATE TABLE meta (
	name TEXT NOT NULL,
	value BIGINT NOT NULL,
	PRIMARY KEY (name)
);

CREATE TABLE other_attempts (
	log_id TEXT NOT NULL,
	exchange_id TEXT NOT NULL,
	seq BIGINT NOT NULL,
	provider TEXT NOT NULL,
	model TEXT NOT NULL,
	region TEXT,
	upstream_model TEXT NOT NULL,
	credential TEXT NOT NULL,
	started_us BIGINT NOT NULL,
	duration_us BIGINT NOT NULL,
	ttft_us BIGINT,
	status_code BIGINT NOT NULL,
	error_type TEXT NOT NULL,
	error_code TEXT,
	error_message TEXT,
	succeeded BOOLEAN NOT NULL,
	upstream_cost BIGINT NOT NULL,
	PRIMARY KEY (log_id)
)
 WITHOUT ROWID;

CREATE TABLE projects (
	id TEXT NOT NULL,
	name TEXT NOT NULL,
	verified BOOLEAN NOT NULL,
	created_at FLOAT NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (name)
);

CREATE TABLE api_keys (
	id TEXT NOT NULL,
	project_id TEXT NOT NULL,
	name TEXT NOT NULL,
	digest BLOB NOT NULL,
	prefix TEXT NOT NULL,
	status TEXT NOT NULL,
	expires_at FLOAT,
	created_at FLOAT NOT NULL,
	PRIMARY KEY (id),
	CONSTRAINT api_keys_status CHECK (status IN ('active', 'disabled', 'deleted')),
	FOREIGN KEY(project_id) REFERENCES projects (id),
	UNIQUE (digest)
);

CREATE VIEW attempts AS
SELECT * FROM other_attempts
UNION ALL
SELECT
    log_id || '-' || attempts AS log_id,
    log_id AS exchange_id,
    attempts AS seq,
    used_provider AS provider,
    substr(
        used_model,
        length(used_provider) + 2,
        length(used_model) - length(used_provider) - 1 - coalesce(length(used_region) + 1, 0)
    ) AS model,
    used_region AS region,
    upstream_model,
    credential,
    attempt_started_us AS started_us,
    attempt_us AS duration_us,
    started_us + ttft_us - attempt_started_us AS ttft_us,
    200 AS status_code,
    'none' AS error_type,
    NULL AS error_code,
    NULL AS error_message,
    1 AS succeeded,
    0 AS upstream_cost
FROM exchanges
WHERE credential IS NOT NULL;
